-- mode: update
SELECT c.page, o.price FROM clicks c LEFT JOIN orders o ON c.userId = o.userId
