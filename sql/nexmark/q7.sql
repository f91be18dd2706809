-- Query 7, highest bid: the highest bids of every 10 seconds.
-- mode: append
-- watermark: bid dateTime 4 seconds
-- tumble(time, size) gives the window that holds a moment as STRUCT("start", "end"), from start up to but not end.
SELECT b.auction, b.bidder, b.price, b.dateTime, b.extra
FROM bid b
JOIN (
  SELECT tumble(dateTime, INTERVAL '10 seconds') AS period, max(price) AS price
  FROM bid
  GROUP BY period
) highest
ON b.price = highest.price AND b.dateTime >= highest.period.start AND b.dateTime < highest.period."end"
