-- Query 11, user sessions: how many bids did a user make in each session, which ends after 10 seconds without any?
-- mode: append
-- watermark: bid dateTime 4 seconds
-- session_window(time, gap) gives STRUCT("start", "end"): the first bid, and the last one plus the gap. A bid exactly
-- one gap after another still belongs to its session, as in Flink and Spark.
SELECT bidder, bid_count, session.start AS starttime, session."end" AS endtime
FROM (
  SELECT bidder, session_window(dateTime, INTERVAL '10 seconds') AS session, count(*) AS bid_count
  FROM bid
  GROUP BY bidder, session
)
