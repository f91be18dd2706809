-- Query 5 for plain DuckDB: a bid stands in each of the five windows that hold it.
WITH counts AS (
  SELECT auction, start, count(*) AS num
  FROM (
    SELECT auction, unnest([newest - to_seconds(2 * i) FOR i IN range(5)]) AS start
    FROM (SELECT auction, time_bucket(INTERVAL '2 seconds', dateTime) AS newest FROM bid)
  )
  GROUP BY auction, start
)
SELECT auction, num
FROM counts
QUALIFY num = max(num) OVER (PARTITION BY start)
