-- Query 2, selection: the bids on some auctions.
-- mode: append
SELECT auction, price
FROM bid
WHERE auction % 123 = 0
