-- mode: append
SELECT hop(at, '1 second', '5 seconds') AS a, hop(at, '2 seconds', '5 seconds') AS b FROM clicks
