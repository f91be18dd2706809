-- mode: update
SELECT max(n) AS busiest FROM (SELECT page, count(*) AS n FROM clicks GROUP BY page)
