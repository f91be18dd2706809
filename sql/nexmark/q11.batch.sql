-- Query 11 for plain DuckDB: a session begins where the bid before is more than a gap away.
SELECT bidder, count(*) AS bid_count, min(dateTime) AS starttime, max(dateTime) + INTERVAL '10 seconds' AS endtime
FROM (
  SELECT bidder, dateTime, count(*) FILTER (WHERE is_first) OVER (PARTITION BY bidder ORDER BY dateTime) AS session
  FROM (
    SELECT bidder, dateTime, coalesce(dateTime > before + INTERVAL '10 seconds', true) AS is_first
    FROM (SELECT bidder, dateTime, lag(dateTime) OVER (PARTITION BY bidder ORDER BY dateTime) AS before FROM bid)
  )
)
GROUP BY bidder, session
