-- mode: append
WITH RECURSIVE steps AS (SELECT page, 1 AS n FROM clicks UNION ALL SELECT page, n + 1 FROM steps WHERE n < 3)
SELECT * FROM steps
