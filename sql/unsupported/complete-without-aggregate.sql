-- mode: complete
SELECT page FROM clicks
