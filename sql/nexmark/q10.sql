-- Query 10, log to file system: every bid into files partitioned by day and minute.
-- mode: append
-- As its originators leave it, this is a question to the sink: the query only adds the partition columns. To run it as
-- they do, put it into CREATE SINK … USING a format that writes files, with partitionBy 'dt, hm', after AS.
SELECT auction, bidder, price, dateTime, extra, strftime(dateTime, '%Y-%m-%d') AS dt, strftime(dateTime, '%H:%M') AS hm
FROM bid
