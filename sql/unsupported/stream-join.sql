-- mode: append
SELECT c.page, o.price FROM clicks c JOIN orders o ON c.userId = o.userId
