-- mode: update
SELECT page, reservoir_quantile(price, 0.9) AS q FROM clicks GROUP BY page
