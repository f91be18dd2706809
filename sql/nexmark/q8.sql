-- Query 8, monitor new users: who came and opened an auction within the same 10 seconds?
-- mode: append
-- watermark: person dateTime 4 seconds
-- watermark: auction dateTime 4 seconds
-- tumble(time, size) gives the window that holds a moment as STRUCT("start", "end"), from start up to but not end.
SELECT p.id, p.name, p.period.start AS starttime
FROM (
  SELECT id, name, tumble(dateTime, INTERVAL '10 seconds') AS period
  FROM person
  GROUP BY id, name, period
) p
JOIN (
  SELECT seller, tumble(dateTime, INTERVAL '10 seconds') AS period
  FROM auction
  GROUP BY seller, period
) a
ON p.id = a.seller AND p.period = a.period
