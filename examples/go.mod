module github.com/authtrip/authtrip/examples

go 1.26.0

replace github.com/authtrip/authtrip => ../
