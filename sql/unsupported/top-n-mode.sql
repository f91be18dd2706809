-- mode: append
SELECT page, userId FROM clicks QUALIFY row_number() OVER (PARTITION BY page ORDER BY price DESC) <= 3
