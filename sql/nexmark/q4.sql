-- Query 4, average price for a category: the average of the winning bids of all auctions in each category.
-- mode: update
-- key: category
-- A later, higher bid changes what its auction adds to the average: the outer aggregation is computed anew from the maxima of
-- all auctions, and categories of which one has changed are handed on.
SELECT category, avg(final) AS final
FROM (
  SELECT a.id, a.category, max(b.price) AS final
  FROM auction a
  JOIN bid b ON a.id = b.auction AND b.dateTime BETWEEN a.dateTime AND a.expires
  GROUP BY a.id, a.category
)
GROUP BY category
