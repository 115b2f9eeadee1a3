"""What is known of one run or several, as one page (`iwm_report.report`), and the pictures that evaluators show (`iwm_report.gallery`)."""
