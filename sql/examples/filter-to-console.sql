-- Every click on a page of the shop as it comes, with the place in the stream where it was found.
--
--   sluice run sql/examples/filter-to-console.sql --set streamName=clicks --set prefix=/shop/
--
-- Shows: append mode, which gives every row once; columns of the source (shardId, approximateArrivalTimestamp) beside
-- those of the payload; and a value that the command line may set. Reads what arrives from now on (latest).

CREATE STREAM clicks (userId BIGINT, page VARCHAR, at TIMESTAMP) USING kinesis OPTIONS (
  streamName '${streamName:-clicks}',
  region '${region:-us-east-1}',
  startingPosition 'latest'
);

CREATE SINK shop_clicks USING console OPTIONS (truncate false) AS
SELECT approximateArrivalTimestamp AS arrived, shardId, userId, page, at
FROM clicks
WHERE starts_with(page, '${prefix:-/shop/}');
