-- Views of each page, from JSON records such as {"userId": 7, "page": "/home", "at": "2025-06-07 12:00:00"}.
--
--   sluice run sql/examples/clicks-per-page.sql --set streamName=clicks --set checkpoints=/var/lib/sluice
--
-- Shows: JSON fields as typed columns (a record that does not fit gives NULLs and stops nothing), a checkpoint, from
-- which a restart goes on with the same counts, and update mode, which gives only the pages that have changed.

CREATE STREAM clicks (userId BIGINT, page VARCHAR, at TIMESTAMP) USING kinesis OPTIONS (
  streamName '${streamName:-clicks}',
  region '${region:-us-east-1}',
  startingPosition 'trim_horizon'
);

CREATE SINK clicks_per_page USING console OPTIONS (
  outputMode 'update',
  trigger '2 seconds',
  checkpointLocation '${checkpoints:-./checkpoints}/clicks-per-page'
) AS
SELECT page, count(*) AS views, max(at) AS last_view
FROM clicks
WHERE page IS NOT NULL
GROUP BY page;
