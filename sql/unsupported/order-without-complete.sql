-- mode: append
SELECT page FROM clicks ORDER BY page LIMIT 10
