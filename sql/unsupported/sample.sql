-- mode: append
SELECT * FROM clicks USING SAMPLE 10%
