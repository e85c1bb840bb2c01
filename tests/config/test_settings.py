import pytest
from django.core.management import call_command


def test_deploy_check_refuses_the_demo():
    with pytest.raises(Exception, match=r"insyn\.E001"):
        call_command("check", deploy=True)


@pytest.mark.django_db
def test_the_database_answers(client):
    assert client.get("/readyz").json() == {"database": True, "redis": True}


def test_mariadb(mariadb_url):
    assert "unix_socket" in mariadb_url
