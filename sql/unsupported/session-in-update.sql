-- mode: update
-- watermark: at 10 seconds
SELECT session_window(at, '10 seconds') AS session, count(*) AS n FROM clicks GROUP BY session
