-- mode: update
SELECT page, userId FROM clicks QUALIFY rank() OVER (PARTITION BY page ORDER BY price DESC) <= 3
