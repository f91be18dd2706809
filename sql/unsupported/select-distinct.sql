-- mode: append
SELECT DISTINCT page FROM clicks
