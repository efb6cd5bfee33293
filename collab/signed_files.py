"""`/files/<bucket>/<path>`: files of jobs, for whoever has a signed URL."""

from functools import partial

from django.http.response import HttpResponseBase
from rest_framework.request import Request

from api.async_views import AsyncAPIView
from artifacts import file_answers
from artifacts.exceptions import BadPath
from artifacts.threads import in_thread
from collab import function_schema, objects, signing


@function_schema.signed_file
class SignedFileView(AsyncAPIView):
    """The signature is the only credential, and is good for this path alone."""

    http_method_names = ["get", "head"]
    authentication_classes = ()
    permission_classes = ()

    async def get(self, request: Request, bucket: str, path: str) -> HttpResponseBase:
        """Get a file by its signed URL, or a part of it."""
        try:
            path = file_answers.path_in(path)
        except BadPath:
            raise signing.SignatureInvalid from None
        signing.verify(bucket, path, request.query_params.dict())
        row = await in_thread(partial(objects.file_at, bucket, path))
        return await file_answers.file_of(request, row)

    async def head(self, request: Request, bucket: str, path: str) -> HttpResponseBase:
        """Get the headers of a file."""
        return await self.get(request, bucket, path)
