-- Query 6, average selling price by seller: over the last 10 closed auctions of each seller.
-- mode: update
-- key: seller, id
-- As its originators leave it: Flink SQL refuses it, since an OVER window cannot take back what a later, higher bid
-- replaces; a stream refuses it here for the same reason. Over a table it runs. Their text averages 11 rows (10
-- PRECEDING AND CURRENT ROW) under a description that says 10; this one averages 10, and names the auction of each row.
SELECT seller, id, avg(price) OVER (
  PARTITION BY seller ORDER BY dateTime ROWS BETWEEN 9 PRECEDING AND CURRENT ROW
) AS avg_price
FROM (
  SELECT a.id, a.seller, b.price, b.dateTime
  FROM auction a
  JOIN bid b ON a.id = b.auction AND b.dateTime BETWEEN a.dateTime AND a.expires
  QUALIFY row_number() OVER (PARTITION BY a.id ORDER BY b.price DESC, b.dateTime) = 1
)
