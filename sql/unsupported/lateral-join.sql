-- mode: append
SELECT c.page, t.twice FROM clicks c JOIN orders o ON c.userId = o.userId, (SELECT o.price * 2 AS twice) t
