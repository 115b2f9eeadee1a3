"""One step after another: views, teacher, student, predictor, loss, step; schedules."""
