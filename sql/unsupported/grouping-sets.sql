-- mode: update
SELECT page, userId, count(*) AS n FROM clicks GROUP BY ROLLUP (page, userId)
