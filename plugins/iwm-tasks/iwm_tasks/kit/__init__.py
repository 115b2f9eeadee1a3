"""What heads, tasks and protocols must keep to: the checks that the conformance kit finds by their kinds. It needs iwm-devkit."""
