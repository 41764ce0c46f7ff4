"""What other searches found: trainings on other images, from which the sampler `transfer` expects what will be good."""
