-- Query 1, currency conversion: prices in dollars become prices in euros.
-- mode: append
SELECT auction, bidder, 0.908 * price AS price, dateTime, extra
FROM bid
