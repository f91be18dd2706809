-- mode: update
SELECT n, count(*) AS pages FROM (SELECT page, count(*) AS n FROM clicks GROUP BY page) GROUP BY n
