-- mode: append
SELECT * REPLACE (upper(c.page) AS page) FROM clicks c JOIN orders o ON c.userId = o.userId
