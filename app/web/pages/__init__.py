"""The pages for people. Every page works without JavaScript and without a cookie; GET never changes anything."""
