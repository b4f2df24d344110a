-- The floor: a fixed image in a multipart upload, an object name of its own for each request.
-- Nothing is read, encoded or checked.

local threads = 0

function setup(thread)
   thread:set("id", threads)
   threads = threads + 1
end

local head = "--b\r\ncontent-type: application/json; charset=utf-8\r\n\r\n" ..
   '{"contentType":"image/jpeg","name":"floor/image_'
local tail = '.jpg"}\r\n--b\r\ncontent-type: image/jpeg\r\n\r\n' ..
   string.rep("x", 602) .. "\r\n--b--\r\n"
local headers = { ["content-type"] = "multipart/related; boundary=b" }
local sent = 0

function request()
   sent = sent + 1
   return wrk.format("POST", "/upload/storage/v1/b/bench/o?uploadType=multipart&fields=name", headers,
      head .. id .. "_" .. sent .. tail)
end

function done(summary)
   local errors = summary.errors
   if errors.connect + errors.read + errors.write + errors.status + errors.timeout > 0 then
      io.stderr:write("some requests failed\n")
      os.exit(1)
   end
end
