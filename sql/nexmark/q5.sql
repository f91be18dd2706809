-- Query 5, hot items: which auctions have had the most bids in the last 10 seconds, asked every 2 seconds?
-- mode: append
-- watermark: bid dateTime 4 seconds
-- hop(time, slide, size) in Flink's order; window(time, size, slide) is the same in Spark's. Both stand for all windows
-- that hold a moment, each a STRUCT("start", "end"), from start up to but not end.
WITH counts AS (
  SELECT auction, hop(dateTime, INTERVAL '2 seconds', INTERVAL '10 seconds') AS period, count(*) AS num
  FROM bid
  GROUP BY auction, period
),
most AS (
  SELECT period, max(num) AS num
  FROM counts
  GROUP BY period
)
SELECT counts.auction, counts.num
FROM counts
JOIN most ON counts.period = most.period AND counts.num >= most.num
