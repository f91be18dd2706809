-- mode: update
SELECT window("at", '1 minute') AS minute, count(*) AS n FROM clicks GROUP BY minute
