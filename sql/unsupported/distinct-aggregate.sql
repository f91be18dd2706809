-- mode: update
SELECT page, count(DISTINCT userId) AS users FROM clicks GROUP BY page
