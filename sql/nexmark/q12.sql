-- Query 12, processing time windows: how many bids does a user make in 10 seconds by the clock of the query?
-- mode: update
-- key: bidder, starttime
-- now() is the time of the micro-batch, the same for all its rows and the same again when it is replayed.
-- tumble(time, size) gives the window that holds a moment as STRUCT("start", "end"), from start up to but not end.
SELECT bidder, bid_count, period.start AS starttime, period."end" AS endtime
FROM (
  SELECT bidder, tumble(now()::TIMESTAMP, INTERVAL '10 seconds') AS period, count(*) AS bid_count
  FROM bid
  GROUP BY bidder, period
)
