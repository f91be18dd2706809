-- mode: append
SELECT page, count(*) AS n FROM clicks GROUP BY page
