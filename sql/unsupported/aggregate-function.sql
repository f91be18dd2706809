-- mode: update
SELECT page, median(userId) AS middle FROM clicks GROUP BY page
