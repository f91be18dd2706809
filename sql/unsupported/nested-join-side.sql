-- mode: append
SELECT c.page, o.price FROM clicks c JOIN names n ON c.userId = n.id JOIN orders o ON c.userId = o.userId
