-- mode: update
SELECT page, count(*) AS n FROM clicks GROUP BY page UNION ALL SELECT page, 1 FROM orders
