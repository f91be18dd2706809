-- mode: append
SELECT page FROM clicks UNION ALL SELECT label FROM names
