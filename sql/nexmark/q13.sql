-- Query 13, bounded side input join: every bid with what a table says about its auction.
-- mode: append
-- setup: CREATE TABLE side_input AS SELECT i AS key, i::VARCHAR AS value FROM range(10000) numbers(i)
SELECT b.auction, b.bidder, b.price, b.dateTime, s.value
FROM bid b
JOIN side_input s ON b.auction % 10000 = s.key
