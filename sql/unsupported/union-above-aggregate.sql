-- mode: update
SELECT page, count(*) AS n FROM clicks GROUP BY page UNION ALL SELECT page, count(*) FROM orders GROUP BY page
