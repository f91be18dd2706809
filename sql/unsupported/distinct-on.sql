-- mode: update
SELECT DISTINCT ON (page) page, userId, count(*) AS n FROM clicks GROUP BY page, userId
