-- mode: append
SELECT page, row_number() OVER (PARTITION BY page ORDER BY userId) AS n FROM clicks
