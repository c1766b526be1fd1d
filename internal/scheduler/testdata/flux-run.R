{"version":1,"execution":{"R_lite":[{"rank":"4-5","children":{"core":"0-1"}}],"nodelist":["test[4-5]"],"starttime":0,"expiration":0}}
