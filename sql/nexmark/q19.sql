-- Query 19, top prices: the 10 highest bids of every auction, the earlier one first where prices are equal.
-- mode: update
-- key: auction, rank_number
SELECT *, row_number() OVER (PARTITION BY auction ORDER BY price DESC, dateTime) AS rank_number
FROM bid
QUALIFY rank_number <= 10
