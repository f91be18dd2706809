-- Query 0, pass through: every bid as it comes. Measures what the engine costs by itself.
-- mode: append
SELECT auction, bidder, price, dateTime, extra
FROM bid
